--- Neovim's own vim.lsp.inline_completion (0.12 and newer) as the drawing, with what it lacks put around it.
---
--- The module asks by itself, 200 ms after a key, and draws whatever comes back. In 0.12 it neither cancels a request
--- that a newer one replaces nor drops an answer that comes late, it goes on drawing a suggestion that no longer agrees
--- with what was typed, its acceptance replaces the range as it was when the server was asked, and it draws tabs and
--- text before a rest of the line wrongly. So this plugin stands between the client and the module: it takes over the
--- module's requests, and gives the module only items that are right at this moment, as an empty range at the cursor.
--- What the module cannot draw is drawn by ondol.ghost.
local ghost = require('ondol.ghost')
local suggestion = require('ondol.suggestion')
local text = require('ondol.text')
local M = {}

local method = 'textDocument/inlineCompletion'

---@return boolean
function M.available()
  return vim.fn.has('nvim-0.12') == 1 and type(vim.lsp.inline_completion) == 'table'
end

--- Lets the module ask for this buffer, and sends its requests to `ask`.
---@param client vim.lsp.Client
---@param ask fun(buffer: integer, kind: integer, sink: function)
function M.take_over(client, ask)
  local request = client.request
  client.request = function(self, name, params, handler, buffer)
    if name ~= method or not handler then
      return request(self, name, params, handler, buffer)
    end
    ask(buffer, params.context.triggerKind, handler)
    return true
  end
  --- The way past the module, for this plugin's own requests.
  return function(params, handler, buffer)
    return request(client, method, params, handler, buffer)
  end
end

---@param buffer integer
function M.enable(buffer)
  if not vim.lsp.inline_completion.is_enabled({ bufnr = buffer }) then
    vim.lsp.inline_completion.enable(true, { bufnr = buffer })
  end
end

--- Makes the module ask in a moment, as if a key had been pressed. It begins with a buffer a moment later than this
--- plugin, and knows of a suggestion only once it has asked: what is drawn before that its `get()` cannot accept.
---@param buffer integer
function M.nudge(buffer)
  local group = 'nvim.lsp.inline_completion:' .. buffer
  pcall(vim.api.nvim_exec_autocmds, 'InsertEnter', { group = group, buffer = buffer, modeline = false })
end

--- Can the module draw this?
local function simple(rest)
  local insert, replaced = suggestion.shortest(rest)
  if replaced ~= '' or insert:find('\t', 1, true) then
    return false
  end
  return not insert:find('\n', 1, true) or (rest.swallowed == '' and rest.tail == '')
end

--- A display for one buffer. Its `sink` is the function with which the module wants its next answer.
---@param buffer integer
---@param client vim.lsp.Client
---@return table
function M.display(buffer, client)
  local display = { sink = nil }
  local given = false

  -- False where the module has not asked yet, or has let the buffer go since.
  local function give(items)
    given = false
    local context = { client_id = client.id, bufnr = buffer, method = method }
    if not display.sink or not pcall(display.sink, nil, { items = items }, context) then
      display.sink = nil
      return false
    end
    given = #items > 0
    return true
  end

  function display.clear()
    ghost.clear(buffer)
    if given then
      give({})
    end
  end

  function display.draw(rest, hint, item)
    local drawn = false
    if not hint and simple(rest) then
      local line = vim.api.nvim_buf_get_lines(buffer, rest.row, rest.row + 1, false)[1]
      local place = { line = rest.row, character = text.units(line:sub(1, rest.column), client.offset_encoding) }
      local command = item.command ~= vim.NIL and item.command or nil
      local insert = suggestion.shortest(rest)
      drawn = give({ { insertText = insert, range = { start = place, ['end'] = place }, command = command } })
    end
    if drawn then
      ghost.clear(buffer)
    else
      display.clear()
      ghost.draw(buffer, rest, hint)
    end
  end

  return display
end

return M
