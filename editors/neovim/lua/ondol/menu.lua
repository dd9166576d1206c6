--- Is a completion menu open? Neovim's own, nvim-cmp's or blink.cmp's. None of them is required or loaded from here.
local M = {}

local function ask(module, names)
  local loaded = package.loaded[module]
  if type(loaded) ~= 'table' then
    return false
  end
  for _, name in ipairs(names) do
    local found, visible = pcall(function()
      return loaded[name]()
    end)
    if found then
      return visible == true
    end
  end
  return false
end

---@return boolean
function M.visible()
  return vim.fn.pumvisible() == 1 or ask('cmp', { 'visible' }) or ask('blink.cmp', { 'is_menu_visible', 'is_visible' })
end

local watched = setmetatable({}, { __mode = 'k' })

--- Calls `changed` whenever a menu opens or closes.
---@param group integer augroup
---@param changed fun()
function M.watch(group, changed)
  local later = vim.schedule_wrap(changed)
  vim.api.nvim_create_autocmd({ 'CompleteChanged', 'CompleteDone' }, { group = group, callback = later })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose', 'BlinkCmpShow', 'BlinkCmpHide' },
    callback = later,
  })
  -- nvim-cmp is often loaded with the first insertion only.
  vim.api.nvim_create_autocmd('InsertEnter', {
    group = group,
    callback = vim.schedule_wrap(function()
      local cmp = package.loaded['cmp']
      local event = type(cmp) == 'table' and rawget(cmp, 'event')
      if event and not watched[event] then
        watched[event] = true
        event:on('menu_opened', later)
        event:on('menu_closed', later)
      end
    end),
  })
end

--- Names of the menu plugins that are loaded, for :checkhealth.
---@return string[]
function M.loaded()
  return vim.tbl_filter(function(name)
    return package.loaded[name] ~= nil
  end, { 'cmp', 'blink.cmp' })
end

return M
