--- Shows suggestions with Neovim's own vim.lsp.inline_completion (0.12 and newer).
---
--- The module sends a request 200 ms after each key, so never while keys follow each other faster, and draws every
--- answer. ondol.session therefore requests after `debounce_ms`; the module's request for the same text is not sent.
--- In 0.12 the module has these faults: it does not cancel a replaced request and does not discard a late answer; it
--- keeps drawing a suggestion that no longer agrees with the typed text; on acceptance it replaces the range from the
--- time of the request; it draws tabs, and text before the rest of a line, wrongly. So this module intercepts its
--- requests and passes it only items that are correct at the moment, with an empty range at the cursor.
--- ondol.ghost_text draws what the module cannot draw.
local ghost_text = require('ondol.ghost_text')
local suggestion = require('ondol.suggestion')
local text = require('ondol.text')
local M = {}

local method = 'textDocument/inlineCompletion'

--- Whether this Neovim has the module.
---@return boolean
function M.available()
  return vim.fn.has('nvim-0.12') == 1 and type(vim.lsp.inline_completion) == 'table'
end

--- Redirects the requests of Neovim's module to `on_request`. Returns a function that sends this plugin's own requests.
---@param client vim.lsp.Client
---@param on_request fun(buffer: integer, kind: integer, sink: function)
---@return fun(params: table, handler: function, buffer: integer): boolean, integer?
function M.intercept(client, on_request)
  local request = client.request
  client.request = function(self, name, params, handler, buffer)
    if name ~= method or not handler then
      return request(self, name, params, handler, buffer)
    end
    on_request(buffer, params.context.triggerKind, handler)
    return true
  end
  return function(params, handler, buffer)
    return request(client, method, params, handler, buffer)
  end
end

--- Enables the module for a buffer.
---@param buffer integer
function M.enable(buffer)
  if not vim.lsp.inline_completion.is_enabled({ bufnr = buffer }) then
    vim.lsp.inline_completion.enable(true, { bufnr = buffer })
  end
end

--- Makes the module send a request now. The module attaches to a buffer later than this plugin, and its `get()` can
--- accept a suggestion only after its first request. Its 200 ms would begin again with each key.
---@param buffer integer
function M.trigger_request(buffer)
  local group = 'nvim.lsp.inline_completion:' .. buffer
  local defer = vim.defer_fn
  vim.defer_fn = function(callback)
    return defer(callback, 0)
  end
  pcall(vim.api.nvim_exec_autocmds, 'InsertEnter', { group = group, buffer = buffer, modeline = false })
  vim.defer_fn = defer
end

--- Whether the module can draw this.
local function drawable(rest)
  local insert, replaced = suggestion.shortest(rest)
  if replaced ~= '' or insert:find('\t', 1, true) then
    return false
  end
  return not insert:find('\n', 1, true) or (rest.replaced == '' and rest.tail == '')
end

--- The display of one buffer. Its `sink` is the function that takes the next answer for the module.
---@param buffer integer
---@param client vim.lsp.Client
---@return table
function M.display(buffer, client)
  local display = { sink = nil }
  local drawn_by_module = false

  -- Returns false if the module has sent no request yet or has detached from the buffer.
  local function pass(items)
    drawn_by_module = false
    local context = { client_id = client.id, bufnr = buffer, method = method }
    if not display.sink or not pcall(display.sink, nil, { items = items }, context) then
      display.sink = nil
      return false
    end
    drawn_by_module = #items > 0
    return true
  end

  function display.clear()
    ghost_text.clear(buffer)
    if drawn_by_module then
      pass({})
    end
  end

  function display.draw(rest, hint, item)
    local drawn = false
    if not hint and drawable(rest) then
      local line = vim.api.nvim_buf_get_lines(buffer, rest.row, rest.row + 1, false)[1]
      local position = { line = rest.row, character = text.units(line:sub(1, rest.column), client.offset_encoding) }
      local command = item.command ~= vim.NIL and item.command or nil
      local insert = suggestion.shortest(rest)
      drawn = pass({ { insertText = insert, range = { start = position, ['end'] = position }, command = command } })
    end
    if drawn then
      ghost_text.clear(buffer)
    else
      display.clear()
      ghost_text.draw(buffer, rest, hint)
    end
  end

  return display
end

return M
