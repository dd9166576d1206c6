--- Maps the keys of the option `keys`. While there is nothing for a key to act on, it keeps its earlier function.
local config = require('ondol.config')
local M = {}

local edit_actions = { next_edit = true, edit_dismiss = true }

---@class ondol.MappedKey
---@field mode 'i'|'n'
---@field key string
---@field replaced table|nil the mapping that it replaced
local mapped = {} ---@type ondol.MappedKey[]

local function run(action)
  local actions = require('ondol.actions')
  local next_edit = require('ondol.next_edit')
  if action == 'accept' then
    return actions.accept('all')
  elseif action == 'accept_word' then
    return actions.accept('word')
  elseif action == 'accept_line' then
    return actions.accept('line')
  elseif action == 'dismiss' then
    return actions.dismiss()
  elseif action == 'next' then
    return actions.cycle(1)
  elseif action == 'previous' then
    return actions.cycle(-1)
  elseif action == 'next_edit' then
    return next_edit.act()
  elseif action == 'edit_dismiss' then
    return next_edit.dismiss()
  end
  actions.trigger()
  return true
end

--- Whether Tab should indent: the suggestion only indents, or the edit is elsewhere and the cursor is in indentation.
local function tab_indents(action)
  if action == 'accept' then
    return require('ondol.actions').only_indents()
  end
  local column = vim.api.nvim_win_get_cursor(0)[2]
  local blank = vim.api.nvim_get_current_line():sub(1, column):find('%S') == nil
  return action == 'next_edit' and blank and require('ondol.next_edit').elsewhere()
end

--- The earlier function of a key, as keys to type: the key itself, or the replaced mapping under another name.
local function earlier_function(key, mode)
  local old = vim.fn.maparg(key, mode, false, true)
  local replaced = not vim.tbl_isempty(old) and old.buffer ~= 1 and old or nil
  mapped[#mapped + 1] = { mode = mode, key = key, replaced = replaced and vim.deepcopy(old) }
  if not replaced then
    return key, 'n'
  end
  local plug = ('<Plug>(ondol-before-%d)'):format(#mapped)
  old.lhs, old.lhsraw, old.lhsrawalt = plug, vim.api.nvim_replace_termcodes(plug, true, true, true), nil
  vim.fn.mapset(mode, false, old)
  return plug, 'm'
end

local function map(key, mode, actions)
  local fallback, feed = earlier_function(key, mode)
  local is_tab = mode == 'i' and vim.api.nvim_replace_termcodes(key, true, true, true) == '\t'
  vim.keymap.set(mode, key, function()
    for _, action in ipairs(actions) do
      if not (is_tab and tab_indents(action)) and run(action) then
        return
      end
    end
    vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(fallback, true, true, true), feed .. 'i', false)
  end, { desc = 'Ondol: ' .. table.concat(actions, ', '):gsub('_', ' ') })
end

--- Whether a key has an action in insert mode still; several actions may share a key.
---@param key string
---@param action string
---@return boolean
function M.has(key, action)
  local actions = (vim.fn.maparg(key, 'i', false, true).desc or ''):match('^Ondol: (.*)')
  return vim.list_contains(vim.split(actions or '', ', '), (action:gsub('_', ' ')))
end

--- Maps the keys of the option `keys` and restores the mappings of earlier calls.
function M.apply()
  for index = #mapped, 1, -1 do
    local one = mapped[index]
    pcall(vim.keymap.del, one.mode, one.key)
    if one.replaced then
      vim.fn.mapset(one.mode, false, one.replaced)
    end
  end
  mapped = {}
  local wanted, keys = {}, {} ---@type table<string, string[]>, { key: string, mode: string }[]
  for _, action in ipairs(config.actions) do
    local key = config.options.keys[action]
    for _, mode in ipairs(key and (edit_actions[action] and { 'i', 'n' } or { 'i' }) or {}) do
      local name = mode .. vim.api.nvim_replace_termcodes(key, true, true, true)
      if not wanted[name] then
        wanted[name] = {}
        keys[#keys + 1] = { name = name, key = key, mode = mode }
      end
      table.insert(wanted[name], action)
    end
  end
  for _, one in ipairs(keys) do
    map(one.key, one.mode, wanted[one.name])
  end
end

return M
